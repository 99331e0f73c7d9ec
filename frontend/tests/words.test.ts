// Both languages say the same things, and the page says nothing that they do not.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

type Words = { [key: string]: string | Words }

const flat = (words: Words, path = ''): [string, string][] =>
  Object.entries(words).flatMap(([key, value]) =>
    typeof value === 'string' ? [[path + key, value] as [string, string]] : flat(value, `${path}${key}.`),
  )

// As they stand in the files: the build turns them into something else.
const read = (language: string) =>
  new Map(flat(JSON.parse(readFileSync(`src/i18n/${language}.json`, 'utf8')) as Words))
const [english, spanish] = [read('en'), read('es')]
const sources = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((file) => /\.(vue|ts)$/.test(file))
  .map((file) => readFileSync(join('src', file), 'utf8'))
  .join('\n')

test('every text is there in both languages, with the same places to fill in and as many plurals', () => {
  expect([...spanish.keys()].sort()).toEqual([...english.keys()].sort())
  const shape = (text: string) => [
    [...new Set(text.match(/\{\w+\}/g))].sort().join(),
    text.split(' | ').length,
  ]
  for (const [key, text] of english) expect(shape(spanish.get(key) ?? ''), key).toEqual(shape(text))
})

test('every text that the page names is there', () => {
  const named = [...sources.matchAll(/\bt\(\s*'([\w.]+)'/g)].map(([, key]) => key ?? '')
  expect(named.length).toBeGreaterThan(50)
  expect(named.filter((key) => !english.has(key))).toEqual([])
})

test('every text is used', () => {
  const built = [
    'problems.',
    'next.',
    'delivery.',
    'presence.',
    'menu.themes.',
    'why.steps.',
    'why.states.',
    'own.reach.',
  ]
  const unused = [...english.keys()].filter(
    (key) => !sources.includes(`'${key}'`) && !built.some((start) => key.startsWith(start)),
  )
  expect(unused).toEqual([])
})

test('every refusal that the peer documents has words', () => {
  const codes = readFileSync('../chatp2p-core/src/code.rs', 'utf8')
  const all = [...codes.matchAll(/^ {4}\w+ = "(\w+)"/gm)].map(([, code]) => code ?? '')
  expect(all.length).toBeGreaterThan(30)
  // What only a program that writes its own requests meets.
  const technical = ['invalid_json', 'unsupported_media_type', 'request_timeout', 'unknown_path', 'wrong_method', 'wrong_host', 'foreign_origin', 'upgrade_required', 'internal', 'proof_required', 'proof_invalid', 'signature_required', 'record_stale', 'wrong_tracker', 'unsupported_endpoint', 'unknown_message', 'invalid_mailbox'] // prettier-ignore
  expect(all.filter((code) => !english.has(`problems.${code}`) && !technical.includes(code))).toEqual([])
})
