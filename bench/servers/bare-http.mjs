// The floor: what node:http alone costs for the same exchanges. It counts body bytes and stores nothing.
import { createServer } from 'node:http'

const [port] = process.argv.slice(2)
const offsets = new Map()
let created = 0

function receive(request, done) {
  let received = 0
  request.on('data', (chunk) => {
    received += chunk.length
  })
  request.on('end', () => done(received))
}

function answer(response, status, fields) {
  response.writeHead(status, { 'Tus-Resumable': '1.0.0', ...fields })
  response.end()
}

function respond(request, response) {
  const path = request.url ?? '/'
  if (request.method === 'POST') {
    receive(request, (bytes) => {
      created += 1
      const location = `/files/${created}`
      offsets.set(location, bytes)
      answer(response, 201, { Location: location, 'Upload-Offset': bytes, 'Content-Length': 0 })
    })
  } else if (request.method === 'PATCH') {
    receive(request, (bytes) => {
      const offset = Number(request.headers['upload-offset']) + bytes
      offsets.set(path, offset)
      answer(response, 204, { 'Upload-Offset': offset })
    })
  } else if (request.method === 'HEAD') {
    answer(response, 200, { 'Upload-Offset': offsets.get(path) ?? 0, 'Cache-Control': 'no-store' })
  } else {
    answer(response, 204, {})
  }
}

createServer({ requestTimeout: 0 }, respond).listen(Number(port), '127.0.0.1')
