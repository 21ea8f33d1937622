/** Rings of tokens of tables of Cassandra as pictures. */
import type { RingEvent, RingHostEvent, RingPartEvent } from '../../model/run/event.ts'
import { ringText } from '../views/ring.ts'
import { tokensOf } from './operations.ts'
import type { PictureKind } from './pictures.ts'

export const RINGS: PictureKind = {
  reading: (name) => `reading some of the ring of ${name} …`,
  job: tokensOf,
  begin: () => {
    const parts: RingPartEvent[] = []
    const hosts: RingHostEvent[] = []
    let ring: RingEvent | null = null
    return {
      event: (event) => {
        if (event.type === 'ring.part') parts.push(event)
        if (event.type === 'ring.host') hosts.push(event)
        if (event.type === 'ring') ring = event
      },
      read: (key, error) => {
        const state = error === null && ring !== null ? 'ready' : 'failed'
        return { type: 'ring-read', key, shown: { state, parts, hosts, ring, error } }
      },
    }
  },
  waiting: (key) => ({ type: 'ring-reading', key }),
  text: ({ rings, ascii }, key, cells) => {
    const shown = rings.get(key)
    return shown === undefined ? null : ringText(shown, cells, ascii)
  },
}
