/** The channels that the hub knows, disabled ones too: what was given up on may be theirs. */
export interface ChannelNames {
  list(): Promise<{ id: string; marketplace: string }[]>
}
