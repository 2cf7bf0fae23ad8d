import { writeFileSync } from 'node:fs'
import { errorsPage } from './errors-table.ts'

// docs/errors.md is the registry in words; a test compares the two.
writeFileSync(new URL('../docs/errors.md', import.meta.url), errorsPage())
