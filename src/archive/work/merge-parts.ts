/** Merges partitions of the ledger and partitions found in the source into one list. */
import type { ArchivedPartition } from '../ledger/record.ts'
import { byPeriod, otherParts } from '../ledger/parts.ts'
import { restoreCommand } from '../steps/refusals.ts'
import { isNamedPart, type NamedPartition } from './named-partitions.ts'
import type { ArchiveCandidate } from '../plan/candidate.ts'
import type { PartName } from '../plan/further-part.ts'
import { plannedAction, type PlannedPartition } from '../plan/planned-status.ts'

type Pair = Pick<PlannedPartition, 'candidate' | 'known'> & { readonly named: PartName }

/**
 * Partitions in the order of the ledger. A new part follows the other parts of its period; new periods come last.
 * `asked`, `drop` and `mistaken` are passed to `plannedAction`.
 */
export function merged(
  name: string,
  candidates: readonly ArchiveCandidate[],
  known: readonly ArchivedPartition[],
  {
    asked,
    drop,
    mistaken,
  }: {
    readonly asked: readonly NamedPartition[]
    readonly drop: boolean
    readonly mistaken: (one: ArchivedPartition) => boolean
  },
): readonly PlannedPartition[] {
  const byLabel = new Map(candidates.map((candidate) => [candidate.label, candidate]))
  const labels = new Set(known.map(({ label }) => label))
  const last = new Map(known.map(({ period }, i) => [period, i]))
  const further = new Map<string, Pair[]>()
  const fresh: Pair[] = []
  for (const candidate of byLabel.values()) {
    if (labels.has(candidate.label)) continue
    const { period } = candidate
    const pairs = last.has(period) ? (further.get(period) ?? []) : fresh
    if (pairs !== fresh) further.set(period, pairs)
    pairs.push({ named: candidate, known: null, candidate })
  }
  const pairs = known.flatMap((one, i): readonly Pair[] => [
    { named: one, known: one, candidate: byLabel.get(one.label) ?? null },
    ...(last.get(one.period) === i ? (further.get(one.period) ?? []) : []),
  ])
  const parts = byPeriod(known)
  return [...pairs, ...fresh]
    .filter(({ named }) => isNamedPart(asked, named))
    .map(({ named, known: one, candidate }) => {
      const others = otherParts(named, parts.get(named.period) ?? [])
      const status = plannedAction(one, candidate, {
        others,
        asked,
        drop,
        mistaken: one !== null && mistaken(one),
        restoreCommand: restoreCommand(name, named),
      })
      return { label: named.label, candidate, known: one, ...status }
    })
}

/** Name of a planned partition, and the period that it is a part of. */
export function plannedName({
  known,
  candidate,
  label,
}: Pick<PlannedPartition, 'known' | 'candidate' | 'label'>): PartName {
  const { period, part } = known ?? candidate ?? { period: label, part: 1 }
  return { label, period, part }
}
