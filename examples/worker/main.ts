import { openUploads } from 'carryon/node'

const uploads = await openUploads({ dir: process.env['UPLOADS'] ?? './uploads' })
process.once('SIGTERM', () => void uploads.close())
for await (const claim of uploads.claims({ leaseMs: 60_000 })) {
  try {
    const path = await claim.save(`./dest/${claim.record.metadata.filename}`)
    await claim.saveRecord()
    await claim.done()
    console.log(path)
  } catch (error) {
    await claim.release(error)
  }
}
