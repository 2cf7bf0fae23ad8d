export default {
  // Carryon starts worker threads and loads a native module: it cannot go into a bundle.
  serverExternalPackages: ['carryon'],
  // Only for `output: 'standalone'`.
  outputFileTracingIncludes: {
    '/**': ['./node_modules/@photostructure/sqlite/**/*', './node_modules/node-gyp-build/**/*'],
  },
}
