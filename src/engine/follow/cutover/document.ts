/** Document of a cutover in the ledger: cutover checks, findings, proof, and both tables. */
import type { TableName } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { CopyRun } from '../../copy/copy-run.ts'
import type { CutoverCheck } from './cutover-checks.ts'
import type { CutoverReady } from './readiness.ts'
import type { ClosingFacts } from './cutover-within.ts'

type Named = { readonly name: TableName; readonly identity: string }

type Document = {
  readonly format: 'sluice-cutover'
  readonly version: 1
  readonly tables: { readonly public: Named; readonly parked: Named }
}

export function cutoverDocument({
  turn,
  ready,
  gates,
  facts,
  operation,
  run,
}: {
  readonly turn: number
  readonly ready: CutoverReady
  readonly gates: readonly CutoverCheck[]
  readonly facts: ClosingFacts
  readonly operation: { readonly unsigned: boolean; readonly revert: boolean; readonly budgetMs: number }
  readonly run: Pick<CopyRun, 'actor' | 'host' | 'tool' | 'runId'>
}): string {
  const { applied, position, pauseMs, waitedMs, tries, proof, findings, made } = facts
  const tables: Document['tables'] = {
    public: { name: ready.request.from, identity: ready.identities.taken },
    parked: { name: ready.oldTable, identity: ready.identities.from },
  }
  return JSON.stringify({
    format: 'sluice-cutover',
    version: 1,
    turn,
    revert: operation.revert,
    tables,
    gates,
    findings,
    made,
    proof: { position: proof.position, rows: String(proof.rows), touched: String(proof.touched) },
    signOff: ready.signOff,
    unsigned: operation.unsigned,
    position: applied,
    reversePosition: position,
    pauseMs,
    waitedMs,
    tries,
    budgetMs: operation.budgetMs,
    by: run.actor,
    host: run.host,
    tool: run.tool,
    run: run.runId,
  })
}

/** @param document as `cutoverDocument` wrote it @throws SluiceError LEDGER_DAMAGED if it is null */
export function identitiesIn(document: string | null): {
  readonly identities: { readonly public: string; readonly parked: string }
  readonly names: { readonly public: TableName; readonly parked: TableName }
} {
  if (document === null)
    throw new SluiceError('LEDGER_DAMAGED', 'the ledger records a cutover, but its document is missing')
  const { tables } = JSON.parse(document) as Document
  return {
    identities: { public: tables.public.identity, parked: tables.parked.identity },
    names: { public: tables.public.name, parked: tables.parked.name },
  }
}
