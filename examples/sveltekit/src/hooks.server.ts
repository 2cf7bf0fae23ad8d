import { openOnce } from 'carryon/adapters/once'
import { svelteKitUploads } from 'carryon/adapters/sveltekit'
import { openUploads } from 'carryon/node'

const dir = process.env['UPLOADS'] ?? './uploads'
const uploads = openOnce('files', () => openUploads({ dir, path: '/files/' }))
export const handle = svelteKitUploads(uploads)
