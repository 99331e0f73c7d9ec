// Words for a refusal, and for what can be done about it, in the reader's language where the page has any, else as the peer put it.
import { useI18n } from 'vue-i18n'
import type { Problem } from '@/api/problem'
import { full } from '@/i18n/dates'
import { preferences } from '@/stores/preferences'
import type { Words } from './report'

export function useProblemText(): (problem: Problem) => string {
  const { t, te } = useI18n()
  return ({ code, message }) => {
    const key = `problems.${code}`
    return code !== 'unknown' && te(key) ? t(key, { detail: message }) : `${t('problems.unknown')} ${message}`
  }
}

// What a report needs to be said.
export function useReportWords(): Words {
  const { t, te } = useI18n()
  return {
    t: (key, values = {}, plural = 1) => t(key, values, plural),
    problem: useProblemText(),
    next: (code, fallback) => (te(`next.${code}`) ? t(`next.${code}`) : fallback),
    time: (timestamp) => full(timestamp, preferences.language),
  }
}
