// How large the page may be: what a first visit loads, and all of it. Sizes are facts; times are measured elsewhere.
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'

const folder = process.argv[2] ?? join(import.meta.dirname, '../../chatp2p-peer/webui')
const BUDGET = { script: 150_000, style: 15_000, all: 1_500_000 }

const html = readFileSync(join(folder, 'index.html'), 'utf8')
const loaded = [...html.matchAll(/(?:src|href)="\/app\/([^"]+)"/g)].map(([, file]) => file)
const zipped = (ending) =>
  loaded
    .filter((file) => file.endsWith(ending))
    .reduce((sum, file) => sum + gzipSync(readFileSync(join(folder, file)), { level: 9 }).length, 0)
const all = readdirSync(folder, { recursive: true })
  .map((file) => statSync(join(folder, file)))
  .reduce((sum, file) => sum + (file.isFile() ? file.size : 0), 0)

const sizes = { script: zipped('.js'), style: zipped('.css'), all }
for (const [what, most] of Object.entries(BUDGET)) {
  console.log(`${what}: ${sizes[what]} of ${most} bytes`)
  if (sizes[what] > most || sizes[what] === 0) process.exitCode = 1
}
