type Fields = Readonly<Record<string, string>>

/** Fields that the protocol or the connection needs as they are. */
export const OURS: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'keep-alive',
  'tus-resumable',
  'transfer-encoding',
  'upload-expires',
  'upload-length',
  'upload-offset',
])

/**
 * Our fields with an application's in their place, whatever the case of their names: two lines of one field would be
 * joined, or refused, by whoever reads them. Fields of the protocol stay what they are, so that no answer can make a
 * client believe a wrong offset; so does `Location` where we tell the address of an upload.
 */
export function mergedFields(ours: Fields, theirs: Fields): Fields {
  const hasLocation = Object.keys(ours).some((name) => name.toLowerCase() === 'location')
  const given = Object.entries(theirs).filter(([name]) => {
    const lower = name.toLowerCase()
    return !OURS.has(lower) && !(hasLocation && lower === 'location')
  })
  const names = new Set(given.map(([name]) => name.toLowerCase()))
  const kept = Object.entries(ours).filter(([name]) => !names.has(name.toLowerCase()))
  return Object.fromEntries([...kept, ...given])
}
