/** A URL for messages: without user information, and without the query, which may be a signature. */
export function shownUrl(url: string): string {
  return url.replace(/[?#].*/s, '?…').replace(/\/\/[^/]*@/, '//')
}
