import { fetch } from '../../../examples/resumable-fetch/main.ts'
import { serveFetch } from '../../conformance/serve-fetch.ts'

serveFetch(fetch).listen(Number(process.env['PORT']), '127.0.0.1', () => process.stdout.write('ready\n'))
