/** What destroys something asks for its name first, where its declaration says so. */
import { declarationOf } from '../app/operations/facts.ts'
import type { Operation, OperationKind } from '../app/operations/list.ts'
import type { Surroundings } from './ports.ts'
import type { Session } from './session.ts'

type OfKind<K extends OperationKind> = Extract<Operation, { kind: K }>

/** The operation with its confirmation, or the exit code when it may not be. */
export type Confirmation<O> = { readonly operation: O } | { readonly exitCode: number }

type Ask<O> = (
  operation: O,
  line: string,
  interactive: boolean,
  session: Session,
  surroundings: Surroundings,
) => Promise<Confirmation<O>>

export const QUESTIONS: { readonly [K in OperationKind]?: () => Promise<Ask<OfKind<K>>> } = {
  rollback: async () => (await import('./confirm.ts')).confirmRollback,
  prune: async () => (await import('./removal-confirm.ts')).confirmPrune,
  'archive-sweep': async () => (await import('./removal-confirm.ts')).confirmSweep,
  archive: async () => (await import('./archive-confirm.ts')).confirmDrop,
  slots: async () => (await import('./slot-confirm.ts')).confirmSlot,
  'partition-decommission': async () => (await import('./decommission-confirm.ts')).confirmDecommission,
  'partition-in-place': async () => (await import('./in-place-confirm.ts')).confirmInPlace,
  'partition-decommission-database': async () => (await import('./decommission-confirm.ts')).confirmDecommission,
  cutover: async () => (await import('./cutover-confirm.ts')).confirmCutover,
  'archive-erase': async () => (await import('./archive-confirm.ts')).confirmErase,
  'archive-expire': async () => (await import('./archive-confirm.ts')).confirmExpire,
  'archive-adopt': async () => (await import('./archive-confirm.ts')).confirmAdopt,
}

/**
 * @param interactive whether somebody can be asked
 * @throws SluiceError MISSING_CONFIRM
 */
export async function confirmed(
  operation: Operation,
  line: string,
  interactive: boolean,
  session: Session,
  surroundings: Surroundings,
): Promise<Confirmation<Operation>> {
  const { destroys = [] } = declarationOf(operation.kind)
  if (!destroys.some(({ asked }) => asked === true)) return { operation }
  const question = QUESTIONS[operation.kind] as (() => Promise<Ask<Operation>>) | undefined
  if (question === undefined) throw new Error(`nobody asks before ${operation.kind}`)
  return (await question())(operation, line, interactive, session, surroundings)
}
