/** A table that is partitioned in place, as lines: what it meets, its statements, and each step. */
import type { Event } from '../model/event.ts'
import type { Block, SubjectColumn, Tell } from './block.ts'
import { visible } from './row-writer.ts'

type Of<T extends Event['type']> = Extract<Event, { type: T }>

const STEPS: Readonly<Record<Of<'partition.step'>['step'], string>> = {
  index: 'index',
  check: 'check',
  validate: 'validation',
  switch: 'switch',
  after: 'afterwards',
  slice: 'slice',
  revert: 'way back',
  clear: 'prepared',
}

/** The blocks that an event of any kind adds; none for those of other operations. */
export function inPlaceBlocks(event: Event, subjects: SubjectColumn, block: Tell): readonly Block[] {
  switch (event.type) {
    case 'partition.finding':
      return [finding(event, subjects, block)]
    case 'partition.sql':
      return [block('plan', `${event.sql};`, { table: event.table })]
    case 'partition.step': {
      const { table, step, status, detail } = event
      const mark = status === 'planned' ? 'plan' : status === 'done' || status === 'found' ? 'ok' : 'note'
      const before = status === 'found' ? ', done before' : status === 'again' ? ', not yet' : ''
      return [block(mark, `${subjects.pad(table)}${STEPS[step]}${before}: ${visible(detail)}`, { table })]
    }
    default:
      return []
  }
}

function finding(
  { table, verdict, about, object, detail, hint }: Of<'partition.finding'>,
  subjects: SubjectColumn,
  block: Tell,
): Block {
  const what = object === undefined ? about : `${about} ${visible(object)}`
  const text = `${subjects.pad(table)}${verdict}: ${what}: ${visible(detail)}`
  const details: Block['details'] = hint === undefined ? [] : [['do', hint]]
  return verdict === 'refused'
    ? block('refused', text, { table, problem: true, details })
    : block('note', text, { table, details })
}
