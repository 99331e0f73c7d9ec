// The page in a real browser, against the real programs. Nothing is fetched: the browser is the system's own.
import { defineConfig } from '@playwright/test'

export default defineConfig({
  testDir: 'e2e',
  outputDir: 'test-results',
  // One after the other: the machine that checks changes is small, and a play needs four programs and a browser.
  workers: 1,
  forbidOnly: Boolean(process.env.CI),
  timeout: 60_000,
  expect: { timeout: 15_000 },
  reporter: [['list']],
  use: {
    browserName: 'chromium',
    testIdAttribute: 'data-test',
    launchOptions: {
      executablePath: process.env.CHATP2P_TEST_CHROMIUM ?? '/usr/bin/chromium',
      args: [
        '--headless',
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    },
    screenshot: 'only-on-failure',
    trace: 'off',
  },
  projects: [
    { name: 'es', use: { locale: 'es-ES', timezoneId: 'Europe/Madrid' } },
    { name: 'en', use: { locale: 'en-GB', timezoneId: 'Europe/London' }, testIgnore: /classic|pictures/ },
  ],
})
