import { Upload, fileUrlStorage } from 'carryon/client'

const [file, endpoint = 'http://127.0.0.1:1080/files/'] = process.argv.slice(2)
// With it, the same command goes on after a crash where it was.
const urlStorage = fileUrlStorage('./uploads.json')
const upload = new Upload(file, { endpoint, urlStorage })
upload.on('progress', ({ accepted, total = 0 }) => console.error(`${accepted} of ${total} bytes`))
const { url } = await upload.start()
console.log(url)
