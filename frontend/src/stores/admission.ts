// How the page gets in where the peer asks for a token: by the code of the link that it was opened with.
import { api } from '@/api/client'
import { admit, bearer, code, refuse } from '@/api/bearer'
import { asProblem } from '@/api/problem'

// What a link can come to that does not let anybody in.
const REFUSALS = ['link_invalid', 'too_many_failures']

export async function enter(): Promise<void> {
  if (code === undefined) return
  try {
    admit((await api.openSession(code)).token)
  } catch (thrown) {
    // Whoever is in already stays in: a used link in the history locks nobody out.
    if (bearer.token !== undefined) return
    const problem = asProblem(thrown).code
    if (REFUSALS.includes(problem) && (await isAsked())) refuse(problem)
  }
}

// Whether the peer asks this page for a token. Where it does not, no link is needed.
async function isAsked(): Promise<boolean> {
  try {
    await api.status()
    return false
  } catch (thrown) {
    return asProblem(thrown).status === 401
  }
}
