#pragma once

struct Case {
  const char* name;
  void (*run)();
};

// Each list ends with an entry without a name.
extern const Case kModelCases[];       // the model against what was seen of real kernels
extern const Case kDriverCases[];      // one fact of the kernel each, with the driver in front
extern const Case kHugePageCases[];    // several entries for one page
extern const Case kFoldedCases[];      // huge pages the page tables tell of, asked for once
extern const Case kHiddenPageCases[];  // before 6.6: pages under hinting faults
extern const Case kOrderCases[];       // lists in no order
extern const Case kPaceCases[];        // what calls cost, and how many pages each is for
extern const Case kStoppedCases[];     // calls that end before all pages were tried

void run_campaign(long calls, unsigned long long seed);
void run_many_pages();
