import { h3Uploads } from 'carryon/adapters/h3'
import { openOnce } from 'carryon/adapters/once'
import { openUploads } from 'carryon/node'

const dir = process.env['UPLOADS'] ?? './uploads'
export default h3Uploads(openOnce('files', () => openUploads({ dir, path: '/files/' })))
