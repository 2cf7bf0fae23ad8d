import { ERRORS } from '../src/core/errors.ts'

/** The page of error codes, made from the registry. */
export function errorsPage(): string {
  const rows = Object.entries(ERRORS).map(
    ([code, { status, retryable, message }]) =>
      `| \`${code}\` | ${status} | ${retryable ? 'yes' : 'no'} | ${message} |`,
  )
  return [
    '# Error codes',
    '',
    'An error answer has the body `CODE: sentence`. Codes are stable, sentences are not. Made by `scripts/errors-page.ts`.',
    '',
    '| code | status | worth a retry | meaning |',
    '|---|---|---|---|',
    ...rows,
    '',
  ].join('\n')
}
