// How the page is built into the crate that serves it, and how it is developed against a running peer.
import { fileURLToPath } from 'node:url'
import vueI18n from '@intlify/unplugin-vue-i18n/vite'
import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vitest/config'

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url))

// The peer that the page talks to while it is developed.
const peer = process.env.CHATP2P_PEER ?? 'http://localhost:3000'

// Everything of the peer's but the page itself. To the peer, the page comes from the peer.
const API = '^/(?!app/)'

export default defineConfig({
  base: '/app/',
  plugins: [
    vue(),
    vueI18n({
      include: path('src/i18n/*.json'),
      runtimeOnly: true,
      dropMessageCompiler: true,
      strictMessage: false,
    }),
  ],
  resolve: { alias: { '@': path('src') } },
  define: {
    __VUE_OPTIONS_API__: 'false',
    __VUE_PROD_DEVTOOLS__: 'false',
    __INTLIFY_PROD_DEVTOOLS__: 'false',
    __VUE_I18N_LEGACY_API__: 'false',
    __VUE_I18N_FULL_INSTALL__: 'false',
  },
  build: {
    outDir: path('../chatp2p-peer/webui'),
    emptyOutDir: true,
    sourcemap: false,
    target: 'es2024',
    // A `data:` address would need another word in the page's policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      output: {
        // What changes seldom is kept apart from what changes often, so that a new release is mostly in the cache already.
        codeSplitting: { groups: [{ name: 'vendor', test: /node_modules/ }] },
      },
    },
  },
  server: {
    proxy: { [API]: { target: peer, changeOrigin: true, ws: true, headers: { origin: peer } } },
  },
  test: { include: ['tests/**/*.test.ts'], restoreMocks: true },
})
