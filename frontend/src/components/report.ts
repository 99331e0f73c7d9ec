// What the node knows about why somebody is not reached, as sentences: for the dialogs that show it, and as a text that can be
// given to whoever helps. Pure: the words come from outside.
import type { NodeReport, PeerReport } from '@/api/client'
import { Problem } from '@/api/problem'

export interface Words {
  t: (key: string, values?: Record<string, unknown>, plural?: number) => string
  // What a refusal is called, and what can be done about it.
  problem: (problem: Problem) => string
  next: (code: string, fallback: string | undefined) => string | undefined
  time: (timestamp: string) => string
}

// Anything that may have gone wrong.
interface Trouble {
  code?: string
  detail?: string
  next?: string
}

// Why, in the reader's words; `undefined` where nothing is wrong.
export const wrong = ({ code, detail = '' }: Trouble, { problem }: Words): string | undefined =>
  code === undefined ? undefined : problem(new Problem(code, detail, 0))

// What to do about it.
export const advice = ({ code, next }: Trouble, words: Words): string | undefined =>
  code === undefined ? undefined : words.next(code, next)

// How things are with a peer, in one sentence.
export function verdict(report: PeerReport, words: Words): string {
  if (report.connected) return words.t('why.connected', { name: report.peer })
  return wrong(report, words) ?? words.t('why.trying')
}

export function waiting(
  { peer, outbox }: Pick<PeerReport, 'peer' | 'outbox'>,
  { t }: Words,
): string | undefined {
  const { messages, full } = outbox
  if (messages === 0) return undefined
  return t('why.waiting', { n: messages, name: peer }, messages) + (full ? ` ${t('why.full')}` : '')
}

// What keeps a link to somebody from coming about also keeps one to a mailbox, and its words speak of somebody.
const DIALLED = ['unreachable', 'port_closed', 'timed_out', 'address_unreachable', 'host_unknown', 'not_chatp2p', 'wrong_key_at_address', 'handshake_failed', 'link_lost', 'address_withheld', 'address_unusable', 'dialled_too_often'] // prettier-ignore
export const ofMailbox = <T extends Trouble>(trouble: T): T =>
  DIALLED.includes(trouble.code ?? '')
    ? { ...trouble, code: 'mailbox_unreachable', next: undefined }
    : trouble

// Whether a mailbox has what waits.
export function mailed({ connected, outbox, mail }: PeerReport, words: Words): string | undefined {
  if (connected || outbox.messages === 0 || mail === undefined) return undefined
  if (mail.ok) return words.t('why.mailed', { at: words.time(mail.at) })
  const trouble = ofMailbox(mail)
  return [words.t('why.unmailed'), wrong(trouble, words), advice(trouble, words)].filter(Boolean).join(' ')
}

// For programs and people who know them: what no language changes.
const exact = ({ code, detail }: Trouble): string => (code ? [code, detail].filter(Boolean).join(': ') : '')

// Nothing that others have said moves what it is pasted into.
const text = (lines: (string | undefined)[]): string =>
  lines
    .filter((line) => line !== undefined && line !== '')
    .map((line) => `${line}\n`.replace(/\p{Cc}+/gu, ' ').trim())
    .join('\n')

export function peerText(report: PeerReport, words: Words): string {
  const { t, time } = words
  const steps = report.steps.map((step) =>
    [
      `- ${t(`why.steps.${step.step}`)}: ${t(`why.states.${step.state}`)}`,
      step.at && time(step.at),
      exact(step),
    ]
      .filter(Boolean)
      .join(' · '),
  )
  const tried = report.tried.map((one) => `- ${one.endpoint} · ${exact(one) || t('why.states.ok')}`)
  return text([
    `${report.peer}: ${verdict(report, words)}`,
    report.connected ? undefined : advice(report, words),
    ...steps,
    tried.length ? `${t('why.tried')}:` : undefined,
    ...tried,
    // Where no step has failed, the reason stands nowhere else.
    report.failed === undefined ? exact(report) : undefined,
    waiting(report, words),
    [mailed(report, words), report.mail && exact(report.mail)].filter(Boolean).join(' · '),
  ])
}

// Where a distance is not one that the page knows, the node's own word for it has to do.
const REACHES = ['loopback', 'private', 'public', 'name']
export const far = (reach: string, { t }: Words): string =>
  REACHES.includes(reach) ? t(`own.reach.${reach}`) : reach

export const isWell = ({ trackers, findings }: NodeReport): boolean =>
  findings.length === 0 && trackers.every(({ code }) => code === undefined)

// What is known of how the node looks to others.
export function outside({ callers, towards_tracker }: NodeReport, words: Words): string[] {
  const { t, time } = words
  const called = callers.map(({ reach, times, last }) =>
    t('own.callers', { n: times, reach: far(reach, words), at: time(last) }, times),
  )
  const towards = towards_tracker === undefined ? [] : [t('own.towards', { ip: towards_tracker })]
  return [...towards, ...(called.length ? called : [t('own.nobody')])]
}

export const trackerName = (url: string | undefined, { t }: Words): string => url ?? t('own.inProcess')

export function nodeText(report: NodeReport, words: Words): string {
  const { t } = words
  const trackers = report.trackers.map((tracker) => {
    const how = tracker.code ? t('own.silent') : t('own.answered', { ms: tracker.answered_in_ms ?? 0 })
    return [`- ${trackerName(tracker.url, words)}: ${how}`, exact(tracker)].filter(Boolean).join(' · ')
  })
  return text([
    `chatp2p ${report.version} · ${report.username ?? ''}`,
    report.listening && `${t('own.listening')}: ${report.listening}`,
    `${t('own.advertised')}:`,
    ...report.advertised.map(({ endpoint, reach }) => `- ${endpoint} · ${far(reach, words)}`),
    report.advertised.length ? undefined : `- ${t('own.nowhere')}`,
    `${t('own.outside')}:`,
    ...outside(report, words).map((line) => `- ${line}`),
    `${t('own.links')}: ${report.links}`,
    ...report.outboxes.map((of) => waiting(of, words)),
    `${t('own.trackers')}:`,
    ...(trackers.length ? trackers : [`- ${t('own.noTracker')}`]),
    ...report.findings.map((finding) => `${wrong(ofMailbox(finding), words) ?? ''} · ${exact(finding)}`),
  ])
}
