// Something that may be refused: what was refused last is kept, to be shown beside it.
import { ref, type Ref } from 'vue'
import { asProblem, type Problem } from '@/api/problem'

interface Attempts {
  problem: Ref<Problem | undefined>
  attempt: (what: () => Promise<unknown>) => Promise<void>
}

export function useAttempt(): Attempts {
  const problem = ref<Problem>()
  const attempt = async (what: () => Promise<unknown>): Promise<void> => {
    problem.value = undefined
    try {
      await what()
    } catch (thrown) {
      problem.value = asProblem(thrown)
    }
  }
  return { problem, attempt }
}
