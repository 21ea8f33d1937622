/** Phases of tables, as `lifecycle status` tells them: by the entry of a table in the config file, or without one by what the table is. */
import type { LifecycleStatusOperation } from '../../engine/operations/lifecycle-status/declaration.ts'
import type { LifecyclePhaseEvent } from '../../model/lifecycle-events.ts'
import { lifecycleText, urgentCommand } from '../views/lifecycle.ts'
import { lifecycleOf } from './operations.ts'
import type { PictureKind } from './pictures.ts'

/** @param wished what the config file says of its tables; null without one */
export function lifecyclePictures(wished: LifecycleStatusOperation | null): PictureKind {
  return {
    reading: (name) => `reading the phases of ${name} …`,
    job: (url, name) => lifecycleOf(url, name, wished),
    begin: () => {
      const phases: LifecyclePhaseEvent[] = []
      return {
        event: (event) => {
          if (event.type === 'lifecycle.phase') phases.push(event)
        },
        read: (key, error) => ({ type: 'lifecycle-read', key, shown: { phases, error } }),
      }
    },
    waiting: (key) => ({ type: 'lifecycle-reading', key }),
    text: ({ lifecycles }, key, cells) => {
      const shown = lifecycles.get(key)
      return shown === undefined ? null : lifecycleText(shown, cells)
    },
    copy: ({ lifecycles }, key) => {
      const shown = lifecycles.get(key)
      return shown === undefined ? null : urgentCommand(shown)
    },
  }
}
