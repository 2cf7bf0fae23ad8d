import { nextUploads } from 'carryon/adapters/next'
import { openOnce } from 'carryon/adapters/once'
import { openUploads } from 'carryon/node'

const dir = process.env['UPLOADS'] ?? './uploads'
const uploads = openOnce('files', () => openUploads({ dir, path: '/files/' }))
export const { GET, HEAD, POST, PATCH, DELETE, OPTIONS } = nextUploads(uploads)
