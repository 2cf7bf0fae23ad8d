import { Upload } from 'tus-js-client'
import type { HttpResponse, UploadOptions } from 'tus-js-client'

export interface TusJsDone {
  readonly url: string
  /** The answer to its last request. */
  readonly status: number
  readonly body: string
  header(name: string): string | undefined
}

/** Uploads with tus-js-client as it comes. */
export function tusJsUpload(data: Buffer, options: UploadOptions): Promise<TusJsDone> {
  return new Promise((resolve, reject) => {
    const running = new Upload(data, {
      metadata: { filename: 'some photo.png', filetype: 'image/png' },
      ...options,
      onError: reject,
      onSuccess: ({ lastResponse }) => resolve(doneWith(running.url ?? '', lastResponse)),
    })
    running.start()
  })
}

function doneWith(url: string, response: HttpResponse): TusJsDone {
  return {
    url,
    status: response.getStatus(),
    body: response.getBody(),
    header: (name) => response.getHeader(name),
  }
}
