// Words for a refusal, in the reader's language where the page has any, else as the peer put it.
import { useI18n } from 'vue-i18n'
import type { Problem } from '@/api/problem'

export function useProblemText(): (problem: Problem) => string {
  const { t, te } = useI18n()
  return ({ code, message }) => {
    const key = `problems.${code}`
    return code !== 'unknown' && te(key) ? t(key, { detail: message }) : `${t('problems.unknown')} ${message}`
  }
}
