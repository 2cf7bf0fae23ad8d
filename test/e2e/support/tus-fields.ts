/** Fields of a PATCH on raw connections and HTTP/2 streams. */
export function patchFields(offset: number, length?: number): Record<string, string | number> {
  return {
    'Tus-Resumable': '1.0.0',
    'Content-Type': 'application/offset+octet-stream',
    'Upload-Offset': offset,
    ...(length === undefined ? {} : { 'Content-Length': length }),
  }
}

export const TUS_FIELDS: Readonly<Record<string, string>> = { 'Tus-Resumable': '1.0.0' }
