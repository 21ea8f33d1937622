/** Shows what a rollback takes away, and asks for the name of the table before it does. */
import { SluiceError } from '../shared/errors.ts'
import { shellQuote } from '../shared/shell.ts'
import type { Surroundings } from './ports.ts'
import { typedLine } from './prompt.ts'
import type { Session } from './session.ts'
import type { Operation } from '../app/operations/list.ts'
import type { RollbackOperation } from '../engine/lake/operations/rollback/declaration.ts'

export type Confirmation = { readonly operation: RollbackOperation } | { readonly exitCode: number }

/** One answer from the terminal. @throws SluiceError STOPPED when ctrl-c came instead of an answer */
export async function ask(question: string, session: Session, surroundings: Surroundings): Promise<string> {
  const answer = await typedLine(question, surroundings)
  if (answer !== null) return answer
  session.interrupted()
  session.output.talk('\n')
  throw new SluiceError('STOPPED', 'stopped before anything was changed')
}

/**
 * Shows the dry run of an operation in a terminal, then wants a name typed.
 * @param name what has to be typed @param so the rest of the question: `to remove it`
 * @returns with the name as its confirmation, or the exit code of a dry run that failed
 * @throws SluiceError MISSING_CONFIRM for another answer
 */
export async function typedAfterTrial<O extends Extract<Operation, { dryRun: boolean; confirm?: string }>>(
  operation: O,
  { name, so }: { readonly name: string; readonly so: string },
  line: string,
  session: Session,
  surroundings: Surroundings,
): Promise<{ readonly operation: O } | { readonly exitCode: number }> {
  const trial = await session.run({ ...operation, dryRun: true }, line, { part: 'prelude' })
  if (trial.exitCode !== 0) return { exitCode: trial.exitCode }
  const answer = (await ask(`Type ${name} ${so}: `, session, surroundings)).trim()
  if (answer === name) return { operation: { ...operation, confirm: answer } }
  throw new SluiceError('MISSING_CONFIRM', 'the name does not match: nothing was changed', { hint: `type ${name}` })
}

/**
 * The rollback with its confirmation, or the exit code when it may not be. A dry run needs none; in a terminal the dry run
 * is shown first; anywhere else there must be `--confirm`.
 * @throws SluiceError MISSING_CONFIRM
 */
export async function confirmRollback(
  operation: RollbackOperation,
  line: string,
  interactive: boolean,
  session: Session,
  surroundings: Surroundings,
): Promise<Confirmation> {
  if (operation.dryRun || operation.confirm !== undefined) return { operation }
  const { table } = operation
  if (!interactive) {
    throw new SluiceError(
      'MISSING_CONFIRM',
      `rollback takes ${table} out of the catalog and wants its name as confirmation`,
      {
        hint: `add --confirm=${shellQuote(table)}, or --dry-run to see what would go`,
      },
    )
  }
  let name = table
  const trial = await session.run({ ...operation, dryRun: true }, line, {
    part: 'prelude',
    // The checks name the table as the catalog does, which is shorter to type than a path.
    listen: (event) => {
      if (event.type === 'verify.check') name = event.table
    },
  })
  if (trial.exitCode !== 0) return { exitCode: trial.exitCode }
  const answer = (await ask(`Type ${name} to take it out of the catalog: `, session, surroundings)).trim()
  if (answer === name || answer === table) return { operation: { ...operation, confirm: answer } }
  throw new SluiceError('MISSING_CONFIRM', 'the name does not match: nothing was changed', { hint: `type ${name}` })
}
