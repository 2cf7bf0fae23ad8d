import { nextApiUploads } from 'carryon/adapters/next'
import { openOnce } from 'carryon/adapters/once'
import { openUploads } from 'carryon/node'

const dir = process.env['UPLOADS'] ?? './uploads'
export const config = { api: { bodyParser: false, responseLimit: false } }
export default nextApiUploads(openOnce('api', () => openUploads({ dir, path: '/api/files/' })))
