/** What a stream was asked for, as its ledger has it: `follow RUN` does the same again. */
import type { Cdc } from '../../../model/follow/port.ts'
import type { CopyOperation } from '../../copy/operations/copy/declaration.ts'

/** @returns JSON without URLs, which may hold passwords */
export function wishesOf(operation: CopyOperation, cdc: Cdc): string {
  const { from: _from, to: _to, span: _span, follow, ...rest } = operation
  // A command of an alert may hold a secret.
  const {
    until: _until,
    alert: _alert,
    resync: _resync,
    lanes: _lanes,
    changesOnly: _changesOnly,
    moved: _moved,
    ...lasting
  } = follow ?? {}
  return JSON.stringify({ ...rest, follow: { ...lasting, cdc }, restart: false })
}

/** The same of a stream whose triggers are to fire from now on. */
export function withFiring(wishes: string): string {
  const { follow, ...rest } = JSON.parse(wishes) as Partial<CopyOperation>
  return JSON.stringify({ ...rest, follow: { ...follow, fireTriggers: true } })
}
