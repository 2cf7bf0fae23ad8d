import { Upload } from 'carryon/client'

const endpoint = new URLSearchParams(location.search).get('endpoint') ?? 'http://127.0.0.1:1080/files/'
const input = document.querySelector('input')!
const bar = document.querySelector('progress')!
const button = document.querySelector('button')!
const link = document.querySelector('a')!

/** Uploads are kept in IndexedDB: a file that is picked again after the page was reloaded goes on where it was. */
async function send(file: File): Promise<void> {
  const upload = new Upload(file, { endpoint, parallel: 3 })
  upload.on('progress', ({ sent, total = 0, secondsLeft }) => {
    bar.max = total
    bar.value = sent
    link.textContent = secondsLeft === undefined ? '' : `${Math.round(secondsLeft)} s left`
  })
  upload.on('state', ({ state }) => {
    button.textContent = state === 'paused' ? 'Resume' : 'Pause'
    button.disabled = state === 'complete' || state === 'failed'
  })
  button.addEventListener('click', () => {
    void (upload.state === 'paused' ? upload.resume() : upload.pause())
  })
  const { url } = await upload.start()
  link.textContent = file.name
  link.href = url
}

input.addEventListener('change', () => {
  const [file] = input.files ?? []
  if (file === undefined) return
  input.disabled = true
  send(file).catch((error) => (link.textContent = String(error)))
})
