#!/usr/bin/env node
'use strict'

// Before anything uses the thread pool: inside an ES module it would be too late. Four threads, the default, are
// all taken by four slow disk syncs.
process.env.UV_THREADPOOL_SIZE ??= '16'

// Bodies pass through as buffers that die young. Once the heap has its first limits, V8 takes each 16 MiB of them for
// growth and marks the whole heap: half of the processor time of a stream of 1 MiB requests. A wider limit leaves them
// to the quick collections of the young generation.
require('node:v8').setFlagsFromString('--heap-growing-percent=1000')

const { existsSync } = require('node:fs')
const path = require('node:path')

// Newer Node keeps compiled code on disk: a second start is quicker.
require('node:module').enableCompileCache?.()

import('../dist/command/main.js').catch((error) => {
  if (existsSync(path.join(__dirname, '../dist/command/main.js'))) throw error
  process.stderr.write('carryon: not built yet: run "npm run build" first\n')
  process.exitCode = 1
})
