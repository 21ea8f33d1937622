/** Asks a question in the terminal before a change. */
import { SluiceError } from '../../shared/errors.ts'
import type { CliContext } from '../ports.ts'
import { readLine } from './prompt.ts'
import type { CliSession } from '../session.ts'

/** Reads one answer from the terminal. @throws SluiceError STOPPED for ctrl-c */
export async function ask(question: string, session: CliSession, context: CliContext): Promise<string> {
  const answer = await readLine(question, context)
  if (answer !== null) return answer
  session.interrupted()
  session.output.talk('\n')
  throw new SluiceError('STOPPED', 'stopped before anything was changed')
}
