/** What `openUploads` needs only once its catalog is open: loaded while the catalog's thread starts. */
export { fetchHandler } from '../adapters/fetch.ts'
export { attach, nodeListener } from '../adapters/node.ts'
export { createEngine } from '../core/engine.ts'
export { createHandler } from '../server/handler.ts'
