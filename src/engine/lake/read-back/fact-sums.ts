/**
 * Compares two sets of facts, such as a million files, without keeping them in memory. The key of a fact decides its
 * group; each group has a count and a sum of digests. Equal sums mean equal facts; groups that differ are read once
 * more, to name their facts.
 */
import { hash } from 'node:crypto'
import { hashInto, type HashPair } from '../../../shared/hash.ts'
import { plus } from '../../../shared/plus.ts'
import type { Fact } from './facts.ts'

const GROUPS = 1024
const WORDS = 8

/** Blocks of facts; may be read more than once. */
export type FactBlocks = () => AsyncIterable<readonly Fact[]>

const pair: HashPair = { a: 0, b: 0 }

function groupOf(key: string): number {
  hashInto(pair, key, null)
  return pair.a % GROUPS
}

/** Each value is preceded by its length, so that different facts have different texts. */
function textOf({ key, values }: Fact): string {
  let text = `${key.length}:${key}`
  for (const value of values) text += value === null ? '-' : `${value.length}:${value}`
  return text
}

class FactSums {
  count = 0
  readonly counts = new Uint32Array(GROUPS)
  readonly sums = new Uint32Array(GROUPS * WORDS)

  async take(facts: FactBlocks): Promise<this> {
    for await (const block of facts()) {
      for (const fact of block) {
        const group = groupOf(fact.key)
        const digest = hash('sha256', textOf(fact), 'buffer')
        for (let i = 0; i < WORDS; i++) plus(this.sums, group * WORDS + i, digest.readUInt32LE(i * 4))
        plus(this.counts, group, 1)
        this.count++
      }
    }
    return this
  }

  differingGroups(other: FactSums): readonly number[] {
    const unlike: number[] = []
    for (let group = 0; group < GROUPS; group++) {
      let same = this.counts[group] === other.counts[group]
      for (let i = group * WORDS; same && i < (group + 1) * WORDS; i++) same = this.sums[i] === other.sums[i]
      if (!same) unlike.push(group)
    }
    return unlike
  }
}

export type FactDifference = {
  readonly key: string
  /** Index of the value that differs; null if one side lacks the fact, or has it several times. */
  readonly field: number | null
  readonly left: string | null
  readonly right: string | null
}

export type ComparedFacts = {
  /** Number of facts on each side. */
  readonly left: number
  readonly right: number
  readonly differences: readonly FactDifference[]
  /** Number of groups that also differ, but were not read again. */
  readonly unnamed: number
}

/** Maximum number of groups whose facts are named: each group has about 1/1024 of all facts. */
const MOST_GROUPS = 16

export async function compareFacts(left: FactBlocks, right: FactBlocks): Promise<ComparedFacts> {
  const [ours, theirs] = [await new FactSums().take(left), await new FactSums().take(right)]
  const unlike = ours.differingGroups(theirs)
  const counts = { left: ours.count, right: theirs.count }
  if (unlike.length === 0) return { ...counts, differences: [], unnamed: 0 }
  const groups = new Set(unlike.slice(0, MOST_GROUPS))
  const differences = differencesOf(await factsIn(left, groups), await factsIn(right, groups))
  return { ...counts, differences, unnamed: unlike.length - groups.size }
}

async function factsIn(facts: FactBlocks, groups: ReadonlySet<number>): Promise<ReadonlyMap<string, readonly Fact[]>> {
  const found = new Map<string, Fact[]>()
  for await (const block of facts()) {
    for (const fact of block) {
      if (!groups.has(groupOf(fact.key))) continue
      const same = found.get(fact.key)
      if (same === undefined) found.set(fact.key, [fact])
      else same.push(fact)
    }
  }
  return found
}

function differencesOf(
  left: ReadonlyMap<string, readonly Fact[]>,
  right: ReadonlyMap<string, readonly Fact[]>,
): readonly FactDifference[] {
  const differences: FactDifference[] = []
  for (const key of [...new Set([...left.keys(), ...right.keys()])].toSorted()) {
    const [ours = [], theirs = []] = [left.get(key), right.get(key)]
    if (ours.length !== 1 || theirs.length !== 1) {
      if (ours.length === theirs.length && JSON.stringify(ours) === JSON.stringify(theirs)) continue
      const times = (facts: readonly Fact[]): string => (facts.length === 1 ? 'there' : `${facts.length} times`)
      const side = (facts: readonly Fact[]): string | null => (facts.length === 0 ? null : times(facts))
      differences.push({ key, field: null, left: side(ours), right: side(theirs) })
      continue
    }
    const [a, b] = [ours[0]?.values ?? [], theirs[0]?.values ?? []]
    for (let field = 0; field < Math.max(a.length, b.length); field++) {
      const [one, other] = [a[field] ?? null, b[field] ?? null]
      if (one !== other) differences.push({ key, field, left: one, right: other })
    }
  }
  return differences
}
