import { readFileSync } from 'node:fs'

/** The version in our package.json, which lies at the same place for the sources and for what is built of them. */
export function packageVersion(): string {
  const found: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  const version =
    typeof found === 'object' && found !== null && 'version' in found ? found.version : undefined
  return typeof version === 'string' ? version : 'unknown'
}
