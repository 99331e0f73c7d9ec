// Times as people write them, in the reader's language and time zone.
import type { Language } from '@/stores/preferences'

const cache = new Map<string, Intl.DateTimeFormat>()

// Making one takes a hundred times as long as using it.
function format(language: Language, name: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${language} ${name}`
  let made = cache.get(key)
  if (!made) {
    // As people write it where the reader is, if the browser says so: `en` alone is American.
    const region = navigator.languages.find((tag) => tag.startsWith(language))
    made = new Intl.DateTimeFormat(region ?? language, options)
    cache.set(key, made)
  }
  return made
}

// An author may say any time, and one that the calendar does not have is shown as the beginning of time, not as an error.
function parse(timestamp: string): Date {
  const date = new Date(timestamp)
  return Number.isNaN(date.getTime()) ? new Date(0) : date
}

// Numbers days without regard to how long they are.
function day(date: Date): number {
  return Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) / 86_400_000
}

export const sameDay = (one: string, other: string) => day(parse(one)) === day(parse(other))

export const clock = (timestamp: string, language: Language) =>
  format(language, 'clock', { hour: '2-digit', minute: '2-digit' }).format(parse(timestamp))

export const full = (timestamp: string, language: Language) =>
  format(language, 'full', { dateStyle: 'full', timeStyle: 'short' }).format(parse(timestamp))

// Which day it was: by a word for the last two.
export function dayName(
  timestamp: string,
  language: Language,
  words: { today: string; yesterday: string },
): string {
  const date = parse(timestamp)
  const ago = day(new Date()) - day(date)
  if (ago === 0) return words.today
  if (ago === 1) return words.yesterday
  const thisYear = date.getFullYear() === new Date().getFullYear()
  const options: Intl.DateTimeFormatOptions = { weekday: 'long', day: 'numeric', month: 'long' }
  return thisYear
    ? format(language, 'day', options).format(date)
    : format(language, 'year', { day: 'numeric', month: 'long', year: 'numeric' }).format(date)
}

// As short as a list wants it: the hour of today, the weekday of this week, or the date.
export function short(timestamp: string, language: Language): string {
  const date = parse(timestamp)
  const ago = day(new Date()) - day(date)
  if (ago === 0) return clock(timestamp, language)
  if (ago > 0 && ago < 7) return format(language, 'weekday', { weekday: 'short' }).format(date)
  return format(language, 'date', { day: 'numeric', month: 'numeric', year: '2-digit' }).format(date)
}
