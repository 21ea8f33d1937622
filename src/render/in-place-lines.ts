/** Steps of a table that is partitioned in place, as lines; what it meets and its statements are printed as those of a plan. */
import type { Event } from '../model/run/event.ts'
import type { Block, SubjectColumn, Tell } from './block.ts'
import { visible } from '../shared/visible.ts'

type Step = Extract<Event, { type: 'partition.step' }>

const STEPS: Readonly<Record<Step['step'], string>> = {
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
  if (event.type !== 'partition.step') return []
  const { table, step, status, detail } = event
  const mark = status === 'planned' ? 'plan' : status === 'done' || status === 'found' ? 'ok' : 'note'
  const before = status === 'found' ? ', done before' : status === 'again' ? ', not yet' : ''
  return [block(mark, `${subjects.pad(table)}${STEPS[step]}${before}: ${visible(detail)}`, { table })]
}
