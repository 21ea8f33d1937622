/** Asks for the name of a table before it is taken out of the catalog. */
import { createInterface } from 'node:readline/promises'
import type { Operation } from '../engine/operation.ts'
import { SluiceError } from '../shared/errors.ts'
import type { Surroundings } from './ports.ts'

type Rollback = Extract<Operation, { kind: 'rollback' }>

/** The name to type: the table as the user named it, without slashes at its end. */
function nameToType(table: string): string {
  return table.replace(/(?<=.)\/+$/, '')
}

/** One answer from the terminal. @throws SluiceError STOPPED when ctrl-c came instead of an answer */
async function ask(question: string, surroundings: Surroundings): Promise<string> {
  const terminal = createInterface({ input: surroundings.stdin, output: surroundings.stderr, terminal: true })
  try {
    return await new Promise<string>((resolve, reject) => {
      terminal.once('SIGINT', () => reject(new SluiceError('STOPPED', 'stopped before anything was changed')))
      // ctrl-d: the input has ended without an answer.
      terminal.once('close', () => resolve(''))
      terminal.question(question).then(resolve, reject)
    })
  } finally {
    terminal.close()
  }
}

/**
 * The rollback with its confirmation. A dry run needs none; a terminal is asked; anything else must have `--confirm`.
 * @throws SluiceError MISSING_CONFIRM
 */
export async function confirmRollback(
  operation: Rollback,
  interactive: boolean,
  surroundings: Surroundings,
): Promise<Rollback> {
  if (operation.dryRun || operation.confirm !== undefined) return operation
  const name = nameToType(operation.table)
  if (!interactive) {
    throw new SluiceError(
      'MISSING_CONFIRM',
      `rollback takes ${name} out of the catalog and wants its name as confirmation`,
      {
        hint: `add --confirm=${name}, or --dry-run to see what would go`,
      },
    )
  }
  const question = `This takes ${name} out of the catalog; its log and its files stay.\nType the name of the table to go on: `
  const answer = (await ask(question, surroundings)).trim()
  if (answer === name || answer === name.split('/').at(-1)) return { ...operation, confirm: answer }
  throw new SluiceError('MISSING_CONFIRM', 'the name does not match: nothing was changed', { hint: `type ${name}` })
}
