/** The root: draws the state of the store, and sends every key to the session. It is the only component with input. */
import type { ReactNode } from 'react'
import { useSyncExternalStore } from 'react'
import { Box, useInput } from 'ink'
import { keyPresses } from './keymap/key-name.ts'
import { Row } from './row.tsx'
import type { Session } from './session/session.ts'
import { drawScreen } from './views/screen.ts'

/** The app; one frame for each change of the state. */
export function App({ session }: { readonly session: Session }): ReactNode {
  const state = useSyncExternalStore(session.store.subscribe, session.store.get)
  useInput((input, key) => {
    if (!key.ctrl && session.ask.pasted(input)) return
    for (const press of keyPresses(input, key)) session.press(press)
  })
  const { columns, rows } = state.size
  return (
    <Box flexDirection="column" width={columns} height={rows}>
      {drawScreen(state).map((line, i) => (
        <Row key={i} line={line} columns={columns} ascii={state.ascii} />
      ))}
    </Box>
  )
}
