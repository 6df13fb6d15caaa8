import type { BrokerLink, Publication } from '../../broker-connection.ts';
import { PublishRefused } from '../../broker-trouble.ts';

/** Messages of which each counts, such as answers, that may be on their way at once. */
const maxOnTheWay = 64;

/**
 * Answers a function that says something if somebody is there, and forgets it otherwise. It never has more waiting
 * than the broker takes: on a topic that is retained or in `newestOnly` one message is on its way, and only the newest
 * waits behind it; of all others together a few may be on their way, and what is beyond that is not said.
 */
export function sayingWhatIs(options: {
  readonly link: () => BrokerLink | undefined;
  readonly newestOnly: ReadonlySet<string>;
  readonly onAccepted: (topic: string) => void;
  readonly onRefused: (topic: string, refusal: Error) => void;
}): (publication: Publication) => void {
  const waitingByTopic = new Map<string, Publication | undefined>();
  let onTheWay = 0;

  async function publish(link: BrokerLink, publication: Publication): Promise<void> {
    try {
      await link.publish(publication);
      options.onAccepted(publication.topic);
    } catch (error) {
      if (error instanceof PublishRefused) options.onRefused(publication.topic, error);
    }
  }

  return function say(publication) {
    const link = options.link();
    if (link === undefined) return;
    const { topic, retain } = publication;
    if (!retain && !options.newestOnly.has(topic)) {
      if (onTheWay >= maxOnTheWay) return;
      onTheWay += 1;
      void publish(link, publication).finally(() => {
        onTheWay -= 1;
      });
    } else if (waitingByTopic.has(topic)) {
      waitingByTopic.set(topic, publication);
    } else {
      waitingByTopic.set(topic, undefined);
      void publish(link, publication).finally(() => {
        const newest = waitingByTopic.get(topic);
        waitingByTopic.delete(topic);
        if (newest !== undefined) say(newest);
      });
    }
  };
}
