import { expect, test } from 'vitest'
import { jsonLines } from '../command.ts'
import { certificateFile, forwardTo, lastLine, uploadScene } from './scene.ts'

const scene = uploadScene()
const ONE_LINE = /^carryon: a: [^\p{Cc}]+\n$/u

test('a web page is no server for uploads', async () => {
  scene.file('a', 'x')
  const page = await scene.serve((_, response) => response.end('<!doctype html><h1>Hello</h1>'))
  const { code, stdout, stderr } = await scene.carryon('upload', 'a', page)
  expect({ code, stdout }).toEqual({ code: 3, stdout: '' })
  expect(stderr).toMatch(ONE_LINE)
  expect(stderr).toContain('tus server')
})

test('an address where there is nothing is refused', async () => {
  scene.file('a', 'x')
  const { code, stderr } = await scene.carryon('upload', 'a', new URL('/elsewhere/', scene.endpoint).href)
  expect(code).toBe(3)
  expect(stderr).toMatch(ONE_LINE)
  expect(stderr).toContain('answered 404')
})

test('a redirect that never ends is refused', async () => {
  scene.file('a', 'x')
  const loop = await scene.serve(({ url }, response) =>
    response.writeHead(302, { Location: url ?? '/' }).end(),
  )
  const { code, stderr } = await scene.carryon('upload', 'a', loop)
  expect(code).toBe(3)
  expect(stderr).toMatch(ONE_LINE)
})

test('a certificate that nobody vouches for is refused, unless it is named or not checked', async () => {
  const content = scene.file('a', 'x')
  const secure = await scene.serve(forwardTo(scene.endpoint), true)
  const refused = await scene.carryon('upload', 'a', secure)
  expect(refused).toMatchObject({ code: 3, stderr: expect.stringMatching(ONE_LINE) })
  expect(refused.stderr).toContain('name a certificate to trust with --cacert')
  const trusted = await scene.carryon('upload', 'a', secure, '--cacert', certificateFile(scene.dir))
  expect(trusted.code).toBe(0)
  const unchecked = await scene.carryon('upload', 'a', secure, '--insecure', '--no-resume')
  expect(unchecked.code).toBe(0)
  const here = new URL(new URL(lastLine(unchecked.stdout)).pathname, scene.endpoint)
  expect((await scene.get(here.href)).equals(content)).toBe(true)
})

test('a server that speaks no TLS is said to', async () => {
  scene.file('a', 'x')
  const { code, stderr } = await scene.carryon('upload', 'a', scene.endpoint.replace('http:', 'https:'))
  expect(code).toBe(3)
  expect(stderr).toMatch(/is this an https server\? if not, begin the URL with http:\n$/)
})

test('a server that is not there is given up after so many retries', async () => {
  scene.file('a', 'x')
  const { code, stderr } = await scene.carryon('upload', 'a', 'http://127.0.0.1:1/files/', '--retries', '1')
  expect(code).toBe(4)
  expect(stderr).toMatch(
    /^a: waiting[^\n]+\ncarryon: a: no answer from 127\.0\.0\.1:1[^\n]+ECONNREFUSED[^\n]+\n$/,
  )
})

test('a server that refuses is believed; --debug shows the exchanges without secrets', async () => {
  scene.file('a', 'x')
  const proud = await scene.serve((_, response) => response.writeHead(403).end('no\u001b[31m'))
  const args = ['upload', 'a', proud, '-H', 'Authorization: Bearer secret', '--debug']
  const { code, stderr } = await scene.carryon(...args)
  expect(code).toBe(3)
  expect(stderr).toMatch(/^carryon: a: [^\n]*403[^\n]*\nexchanges of a:\n/)
  expect(stderr).toMatch(/POST http:\S+ → 403/)
  expect(stderr).not.toContain('secret')
  expect(stderr).not.toMatch(/[^\P{Cc}\n]/u)
})

test('a token that has expired is asked for again', async () => {
  scene.file('a', 3_000_000)
  scene.file('token', 'Bearer 1\n')
  let valid = 'Bearer 1'
  const asked: (string | undefined)[] = []
  const pass = forwardTo(scene.endpoint)
  const guarded = await scene.serve((request, response) => {
    const { authorization } = request.headers
    if (authorization === valid) {
      if (request.method === 'POST') {
        valid = 'Bearer 2'
        scene.file('token', 'Bearer 2\n')
      }
      return pass(request, response)
    }
    asked.push(authorization)
    request.resume()
    return response.writeHead(401).end()
  })
  const { code } = await scene.carryon(
    'upload',
    'a',
    guarded,
    '--auth-command',
    'cat token',
    '--chunk-size',
    '1MB',
  )
  expect({ code, asked }).toEqual({ code: 0, asked: ['Bearer 1'] })
})

test('JSON tells failures as objects, and what every file shares is the exit code', async () => {
  scene.file('a', 'x')
  scene.file('b', 'x')
  const nowhere = new URL('/elsewhere/', scene.endpoint).href
  const { code, stdout, stderr } = await scene.carryon('upload', 'a', 'b', nowhere, '--json', '--quiet')
  expect({ code, stderr }).toEqual({ code: 3, stderr: '' })
  expect(jsonLines(stdout)).toMatchObject([
    { event: 'failed', code: 'server', status: 404, exitCode: 3 },
    { event: 'failed', code: 'server', status: 404, exitCode: 3 },
  ])
})

test('a state that cannot be opened is said, and breaks nothing', async () => {
  scene.file('a', 'x')
  scene.file('b', 'x')
  scene.file('state/carryon', 'a file where a directory should be')
  const { code, stderr } = await scene.carryon('upload', 'a', 'b', scene.endpoint)
  expect(code).toBe(0)
  expect(stderr.match(/^carryon: .*/gm)).toEqual([
    expect.stringMatching(/^carryon: nothing is remembered, \S+uploads\.db cannot be used: EEXIST.*--state$/),
  ])
})

test.each([
  [['upload'], /no file and no URL/],
  [['upload', 'http://127.0.0.1:1/'], /no file to upload/],
  [['upload', 'a', 'b'], /the last argument must be the URL .*, not "b"/],
  [['upload', 'a', 'http://u:p@127.0.0.1/'], /credentials do not belong in the URL/],
  [['upload', 'http://127.0.0.1:1/', 'http://127.0.0.1:1/'], /only the last argument is a URL/],
  [['upload', 'a', 'http://127.0.0.1:1/', '--jobs', '0'], /--jobs must be a whole number/],
  [
    ['upload', 'a', 'http://127.0.0.1:1/', '--paralel', '2'],
    /unknown option '--paralel' \(did you mean --parallel\?\)/,
  ],
  [['upload', '.', 'http://127.0.0.1:1/', '--no-recursive'], /\. is a folder; leave out --no-recursive/],
  [['upload', '-', '-', 'http://127.0.0.1:1/'], /standard input \(-\) can be used only once/],
  [['info'], /missing required argument/],
  [['download', 'x'], /must be an http or https URL/],
  [['completion', 'tcsh'], /the shell must be bash, zsh or fish, not "tcsh"/],
])('%j is a usage error in one line', async (args, message) => {
  const { code, stdout, stderr } = await scene.carryon(...args)
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toMatch(/^carryon: [^\p{Cc}]+\n$/u)
  expect(stderr).toMatch(message)
})
