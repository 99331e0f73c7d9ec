// How long the page takes. Measured, never asserted: times say as much about the machine as about the page.
import base from '../playwright.config'
import { defineConfig } from '@playwright/test'

export default defineConfig({
  ...base,
  testDir: '.',
  testMatch: '*.bench.ts',
  outputDir: '../test-results/bench',
  timeout: 600_000,
  projects: [{ name: 'en', use: { locale: 'en-GB' } }],
})
