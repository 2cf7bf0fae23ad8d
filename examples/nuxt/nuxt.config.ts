const sqlite = 'node_modules/@photostructure/sqlite'

export default {
  // `.output` runs without node_modules: this puts the native module into it, here for Linux on x64.
  nitro: {
    externals: {
      traceInclude: [
        `${sqlite}/dist/index.mjs`,
        `${sqlite}/prebuilds/linux-x64/@photostructure+sqlite.glibc.node`,
      ],
    },
  },
}
