/** The root: draws the state of the store. Keys come to the session beside Ink. */
import type { ReactNode } from 'react'
import { useLayoutEffect, useState, useSyncExternalStore } from 'react'
import { Box } from 'ink'
import { DrawnRows } from './drawn-rows.ts'
import { Row } from './row.tsx'
import type { Session } from './session/session.ts'
import { MARK_CELLS } from './terminal/row-mark.ts'
import { drawScreen } from './views/screen.ts'

/** The app; for each change of the state the rows that it changes on screen. */
export function App({ session }: { readonly session: Session }): ReactNode {
  const state = useSyncExternalStore(session.store.subscribe, session.store.get)
  const [drawn] = useState(() => new DrawnRows())
  const lines = drawScreen(state)
  useLayoutEffect(() => {
    drawn.show(lines)
  })
  return (
    <Box flexDirection="column" flexShrink={0} width={state.size.columns + MARK_CELLS}>
      {drawn.missing(lines).map(({ line, row }, i) => (
        <Row key={i} row={row} line={line} columns={state.size.columns} ascii={state.ascii} />
      ))}
    </Box>
  )
}
