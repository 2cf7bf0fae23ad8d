import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import express from 'express'
import Koa from 'koa'
import { expect, test } from 'vitest'
import type { ResumableOptions } from '../../src/node/resumable/index.ts'
import {
  expressResumable,
  fastifyResumable,
  koaResumable,
  resumable,
  resumableListener,
} from '../../src/node/resumable/index.ts'
import { afterTest } from '../e2e/support/after-test.ts'
import { temporaryDirectory } from '../e2e/support/temporary-directory.ts'

const handler = (): Response => new Response('ok')

const WRONG: readonly (readonly [string, unknown, RegExp])[] = [
  ['none', undefined, /needs options: \{ dir, path \}/],
  ['a path instead', './uploads', /needs options/],
  ['no dir', { path: '/photos' }, /dir must be the path of a directory, not undefined/],
  ['an empty dir', { dir: '', path: '/photos' }, /dir must be the path of a directory, not ""/],
  ['no path', { dir: 'd' }, /path must be the path of a route, such as \/photos, not undefined/],
  ['a relative path', { dir: 'd', path: 'photos' }, /path must be the path of a route/],
  ['a URL', { dir: 'd', path: 'http://x/photos' }, /path must be the path of a route/],
  ['a pattern', { dir: 'd', path: '/photos/{id}' }, /path must be the path of a route/],
  ['dots', { dir: 'd', path: '/photos/../x' }, /path must be the path of a route/],
  ['a method', { dir: 'd', path: '/p', method: 'PATCH' }, /method must be 'POST' or 'PUT', not "PATCH"/],
  ['a way', { dir: 'd', path: '/p', deliver: 'file' }, /deliver must be 'stream' or 'path', not "file"/],
  ['a time', { dir: 'd', path: '/p', validForMs: '24h' }, /validForMs must be a positive number/],
  ['no time', { dir: 'd', path: '/p', validForMs: 0 }, /validForMs must be a positive number .*, not 0/],
  ['a size', { dir: 'd', path: '/p', maxSizeBytes: 1.5 }, /maxSizeBytes must be a positive integer, not 1.5/],
  ['keepFiles', { dir: 'd', path: '/p', keepFiles: 1 }, /keepFiles must be true or false, not 1/],
  ['onRequest', { dir: 'd', path: '/p', onRequest: {} }, /onRequest must be a function/],
  ['report', { dir: 'd', path: '/p', report: 'yes' }, /report must be a function, not "yes"/],
  ['fields', { dir: 'd', path: '/p', keepHeaders: 'x-a' }, /keepHeaders must be a list of field names/],
  ['no field', { dir: 'd', path: '/p', keepHeaders: ['x a'] }, /keepHeaders must be a list of field names/],
  ['cookies', { dir: 'd', path: '/p', keepHeaders: ['Cookie'] }, /without credentials.*not "Cookie"/],
  ['tokens', { dir: 'd', path: '/p', keepHeaders: ['X-Auth-Token'] }, /without credentials/],
  ['typos', { dir: 'd', path: '/p', validFor: 5 }, /resumable has no option "validFor"/],
  ['ours', { dir: 'd', path: '/p', onFinish: () => undefined }, /no option "onFinish"/],
  ['no URL', { dir: 'd', path: '/p', publicUrl: 'x' }, /publicUrl is no http\(s\) URL/],
]

test.each(WRONG)('wrong options: %s', async (_name, options, message) => {
  const dir = await temporaryDirectory()
  // What is found only when the directory is open must not leave it open.
  const given = (
    typeof options === 'object' && options !== null && 'dir' in options && options.dir === 'd'
      ? { ...options, dir }
      : options
  ) as ResumableOptions<object>
  await expect(resumable(handler, given)).rejects.toThrow(message)
  await expect(resumable(handler, given)).rejects.toThrow(TypeError)
  await expect(resumableListener(() => undefined, given)).rejects.toThrow(message)
  const register = async (): Promise<unknown> => fastifyResumable(given)
  if (_name !== 'no URL') await expect(register()).rejects.toThrow(message)
})

test('wrong handlers and apps', async () => {
  const options = { dir: await temporaryDirectory(), path: '/photos' }
  const none = undefined as never
  await expect(resumable(none, options)).rejects.toThrow('resumable needs a handler: a function')
  await expect(resumableListener({} as never, options)).rejects.toThrow('needs a handler')
  await expect(expressResumable(express(), none, options)).rejects.toThrow('needs a handler')
  await expect(expressResumable({} as never, () => undefined, options)).rejects.toThrow(
    'needs the Express app',
  )
  await expect(koaResumable(new Koa(), none, options)).rejects.toThrow('needs a handler')
  await expect(koaResumable(none, () => undefined, options)).rejects.toThrow('needs the Koa app')
})

test('each route needs a directory of its own, and leaves it when it is closed', async () => {
  const dir = await temporaryDirectory()
  const photos = await resumable(handler, { dir, path: '/photos' })
  afterTest(() => photos.close(0))
  await expect(resumable(handler, { dir: `${dir}/.`, path: '/films' })).rejects.toThrow(
    /dir must be another one for each route: .* belongs to \/photos\//,
  )
  const films = await resumable(handler, { dir: join(dir, 'films'), path: '/films' })
  await films.close(0)
  await photos.close(0)
  const again = await resumable(handler, { dir, path: '/films' })
  // Closed before: it must not give away what is another's now.
  await photos.close(0)
  await expect(resumable(handler, { dir, path: '/photos' })).rejects.toThrow('belongs to /films/')
  await again.close(0)
})

test('a directory that cannot be one is told of, and can be tried again', async () => {
  const dir = join(await temporaryDirectory(), 'file')
  writeFileSync(dir, 'not a directory')
  await expect(resumable(handler, { dir, path: '/photos' })).rejects.toThrow(/EEXIST|ENOTDIR/)
  const other = join(await temporaryDirectory(), 'dir')
  mkdirSync(other)
  await (await resumable(handler, { dir: other, path: '/photos' })).close(0)
})
