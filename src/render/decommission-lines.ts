/** The decommissioning of an old table as lines: what was checked, and what was done. */
import type { Event, EventOf } from '../model/run/event.ts'
import type { Block, SubjectColumn, MakeBlock } from './block.ts'
import { visible } from '../shared/visible.ts'

const STEPS: Readonly<Record<EventOf<'decommission.step'>['step'], readonly [planned: string, done: string]>> = {
  inactive: ['would be made inactive: only its owner could use it', 'is inactive: only its owner may use it'],
  active: ['would get its rights back', 'has its rights back'],
  archived: ['would be copied once more', 'is copied once more, and compared row by row'],
  dropped: ['would be dropped', 'is dropped'],
}

const OF_DATABASE: Partial<typeof STEPS> = {
  inactive: ['would be made inactive: it would refuse connections', 'is inactive: it refuses connections'],
  active: ['would accept connections again', 'accepts connections'],
}

/** Blocks of an event of any kind; empty for events of other operations. */
export function decommissionBlocks(event: Event, subjects: SubjectColumn, block: MakeBlock): readonly Block[] {
  switch (event.type) {
    case 'decommission.finding':
      return [finding(event, subjects, block)]
    case 'decommission.step': {
      const { table, step, status, of } = event
      const [planned, done] = (of === 'database' ? OF_DATABASE[step] : undefined) ?? STEPS[step]
      const text = status === 'planned' ? planned : status === 'found' ? `${done} already` : done
      return [block(status === 'planned' ? 'plan' : 'ok', subjects.pad(table) + text, { table })]
    }
    default:
      return []
  }
}

function finding(
  { table, verdict, about, object, detail, hint }: EventOf<'decommission.finding'>,
  subjects: SubjectColumn,
  block: MakeBlock,
): Block {
  const what = object === undefined ? about : `${about} ${visible(object)}`
  return block(
    verdict === 'refused' ? 'refused' : 'note',
    `${subjects.pad(table)}${verdict}: ${what}: ${visible(detail)}`,
    {
      table,
      ...(verdict === 'refused' ? { problem: true } : {}),
      details: hint === undefined ? [] : [['do', hint]],
    },
  )
}
