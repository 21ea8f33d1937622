/** A question in the terminal, before something is changed. */
import { SluiceError } from '../shared/errors.ts'
import type { Surroundings } from './ports.ts'
import { typedLine } from './prompt.ts'
import type { Session } from './session.ts'

/** One answer from the terminal. @throws SluiceError STOPPED when ctrl-c came instead of an answer */
export async function ask(question: string, session: Session, surroundings: Surroundings): Promise<string> {
  const answer = await typedLine(question, surroundings)
  if (answer !== null) return answer
  session.interrupted()
  session.output.talk('\n')
  throw new SluiceError('STOPPED', 'stopped before anything was changed')
}
