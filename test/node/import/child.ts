/* A process of its own that imports, and kills itself when it has told of so many uploads. */
import { importUploads } from '../../../src/node/import/index.ts'

const [, , from = '', dir = '', how = '', after = ''] = process.argv
if (how !== 'link' && how !== 'copy' && how !== 'move') throw new TypeError(how)

let told = 0
await importUploads({
  from,
  dir,
  how,
  onEvent() {
    told += 1
    if (told === Number(after)) process.kill(process.pid, 'SIGKILL')
  },
})
