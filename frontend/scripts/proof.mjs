// Writes build.json beside the built page: a hash of what it was built from and one of what came out, so that the tests
// of the peer can tell without Node whether the committed page is that of the committed source.
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const PROOF = 'build.json'
const FILES = ['index.html', 'package.json', 'package-lock.json', 'vite.config.ts', 'tsconfig.json']
const FOLDERS = ['src', 'public']

const frontend = dirname(dirname(fileURLToPath(import.meta.url)))
const bundle = resolve(process.argv[2] ?? join(frontend, '../chatp2p-peer/webui'))

const sha256 = (data) => createHash('sha256').update(data).digest('hex')

// The paths of all files below a folder, as seen from the root and with slashes on every system.
const below = (root, folder) =>
  readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`
    return entry.isDirectory() ? below(root, path) : [path]
  })

// The hash of what sha256sum would print for these files, in the order of their names' bytes.
const listed = (root, paths) => {
  const sorted = paths.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  return sha256(sorted.map((path) => `${sha256(readFileSync(join(root, path)))}  ${path}\n`).join(''))
}

const there = (name) => existsSync(join(frontend, name))
const sources = [
  ...FILES.filter(there),
  ...FOLDERS.filter(there).flatMap((folder) => below(frontend, folder)),
]
const built = below(bundle, '').filter((path) => path !== PROOF)

const proof = { sources: listed(frontend, sources), bundle: listed(bundle, built) }
writeFileSync(join(bundle, PROOF), `${JSON.stringify(proof)}\n`)
